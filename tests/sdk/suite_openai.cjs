// Calls of the official JavaScript SDK of OpenAI, unchanged but for the base URL: an order is a line of JSON in,
// its result a line of JSON out. suite_openai_node.py gives them.

const readline = require("node:readline");
const OpenAI = require("openai");
const { toFile } = OpenAI;

const chat = (prompt) => ({
  model: "gpt-4o",
  messages: [{ role: "user", content: prompt }],
  max_completion_tokens: 100,
});

const told = (video) => ({
  id: video.id,
  status: video.status,
  seconds: video.seconds,
  error: video.error ? video.error.code : null,
});

const calls = {
  async image(client, { prompt, more }) {
    const made = await client.images.generate({ model: "gpt-image-1", prompt, ...more });
    return { images: made.data.length };
  },

  async edit(client, { picture, prompt, more }) {
    const image = await toFile(Buffer.from(picture, "base64"), "picture.png", { type: "image/png" });
    const made = await client.images.edit({ model: "gpt-image-1", image, prompt, ...more });
    return { images: made.data.length };
  },

  async chat(client, { prompt, once }) {
    const made = await client.chat.completions.create(chat(prompt), once ? { maxRetries: 0 } : {});
    return { text: made.choices[0].message.content, usage: made.usage };
  },

  async stream(client, { prompt, include_usage }) {
    const options = include_usage ? { stream_options: { include_usage } } : {};
    const value = { text: "", usage: null, chunks: 0, empty: 0 };
    const made = await client.chat.completions.create({ ...chat(prompt), stream: true, ...options });
    for await (const chunk of made) {
      value.chunks += 1;
      value.empty += chunk.choices.length === 0 ? 1 : 0;
      value.usage = chunk.usage ?? value.usage;
      for (const choice of chunk.choices) value.text += choice.delta.content ?? "";
    }
    return value;
  },

  async picture_stream(client, { prompt, more }) {
    const value = { previews: 0, images: 0 };
    const order = { model: "gpt-image-1", prompt, stream: true, partial_images: 1, ...more };
    for await (const event of await client.images.generate(order)) {
      value[event.type === "image_generation.completed" ? "images" : "previews"] += 1;
    }
    return value;
  },

  async answer(client, { prompt }) {
    const made = await client.responses.create({ model: "gpt-4o", input: prompt, max_output_tokens: 100 });
    return { text: made.output_text };
  },

  async answer_stream(client, { prompt }) {
    const value = { text: "", status: null };
    const order = { model: "gpt-4o", input: prompt, max_output_tokens: 100, stream: true };
    for await (const event of await client.responses.create(order)) {
      if (event.type === "response.output_text.delta") value.text += event.delta;
      if (event.type === "response.completed") value.status = event.response.status;
    }
    return value;
  },

  async speak(client, { text }) {
    const made = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: text });
    return { bytes: (await made.arrayBuffer()).byteLength };
  },

  async transcribe(client, { recording }) {
    const file = await toFile(Buffer.from(recording, "base64"), "recording.wav", { type: "audio/wav" });
    const made = await client.audio.transcriptions.create({ model: "whisper-1", file });
    return { text: made.text, seconds: made.usage.seconds };
  },

  // This SDK has no call that waits for a film: whoever uses it polls.
  async film(client, { prompt, more }) {
    let video = await client.videos.create({ model: "sora-2", prompt, ...more });
    while (video.status === "queued" || video.status === "in_progress") {
      await new Promise((resolve) => setTimeout(resolve, 100));
      video = await client.videos.retrieve(video.id);
    }
    return told(video);
  },

  async begin_film(client, { prompt, more }) {
    return told(await client.videos.create({ model: "sora-2", prompt, ...more }));
  },

  async look(client, { id }) {
    return told(await client.videos.retrieve(id));
  },

  async content(client, { id }) {
    return { bytes: (await (await client.videos.downloadContent(id)).arrayBuffer()).byteLength };
  },

  async delete_film(client, { id }) {
    return { deleted: (await client.videos.delete(id)).deleted };
  },

  async respond(client, { prompt }) {
    const order = { model: "gpt-4o", input: prompt, background: true, max_output_tokens: 100 };
    const { id, status } = await client.responses.create(order);
    return { id, status };
  },

  async response(client, { id }) {
    const made = await client.responses.retrieve(id);
    return { id, status: made.status, text: made.output_text };
  },

  async cancel_response(client, { id }) {
    return { status: (await client.responses.cancel(id)).status };
  },
};

async function result({ order, base_url, key, more }) {
  const client = new OpenAI({ baseURL: base_url + "/v1", apiKey: key });
  try {
    return { value: await calls[order](client, more) };
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const { status, message, code } = error;
    return { error: error.constructor.name, status: status ?? null, message, code: code ?? null };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await result(JSON.parse(line))));
  }
}

main();
