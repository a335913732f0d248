// Calls of the official JavaScript SDK of Google, unchanged but for the base URL: an order is a line of JSON in, its
// result a line of JSON out. suite_veo.py gives them.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { GoogleGenAI, GenerateVideosOperation } = require("@google/genai");

function told(operation) {
  const { name, done, error, response } = operation;
  return {
    name,
    done: done ?? false,
    error: error ? error.message : null,
    films: response?.generatedVideos?.length ?? 0,
    uris: (response?.generatedVideos ?? []).map((film) => film.video?.uri),
    filtered: response?.raiMediaFilteredCount ?? 0,
  };
}

const calls = {
  async begin(client, { prompt, films, seconds }) {
    const config = { numberOfVideos: films, durationSeconds: seconds };
    return told(await client.models.generateVideos({ model: "veo-3.0-generate-001", source: { prompt }, config }));
  },

  // The name as the SDK takes it from a film's URL.
  async download(client, { uri }) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "film-"));
    const downloadPath = path.join(folder, "film.mp4");
    const name = `files/${uri.split("files/")[1].match(/[a-z0-9]+/)[0]}`;
    try {
      await client.files.download({ file: name, downloadPath });
      return fs.readFileSync(downloadPath, "utf8");
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  },

  async look(client, { name }) {
    const operation = new GenerateVideosOperation();
    operation.name = name;
    return told(await client.operations.getVideosOperation({ operation }));
  },
};

async function result({ order, base_url, key, more }) {
  const client = new GoogleGenAI({ apiKey: key, vertexai: false, httpOptions: { baseUrl: base_url } });
  try {
    return { value: await calls[order](client, more) };
  } catch (error) {
    return { error: error.constructor.name, status: error.status ?? null, code: null, message: error.message };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await result(JSON.parse(line))));
  }
}

main();
