// Calls of the official JavaScript SDK of OpenAI. Orders and results are as in orders.py.

const readline = require("node:readline");
const OpenAI = require("openai");

const calls = {
  async image(client, arguments_) {
    const made = await client.images.generate({ model: "sample-image", prompt: "a cat", ...arguments_ });
    return { images: made.data.length };
  },

  async chat(client, arguments_) {
    const made = await client.chat.completions.create({ model: "sample-chat", ...arguments_ });
    return { text: made.choices[0].message.content, usage: made.usage };
  },

  async stream(client, arguments_) {
    let [text, usage, chunks] = ["", null, 0];
    const options = { stream: true, stream_options: { include_usage: true } };
    const made = await client.chat.completions.create({ model: "sample-chat", ...options, ...arguments_ });
    for await (const chunk of made) {
      chunks += 1;
      usage = chunk.usage ?? usage;
      for (const choice of chunk.choices) text += choice.delta.content ?? "";
    }
    return { text, usage, chunks };
  },
};

function bases(error) {
  const names = [];
  for (let one = Object.getPrototypeOf(error); one !== null; one = Object.getPrototypeOf(one)) {
    names.push(one.constructor.name);
  }
  return names;
}

async function result(order) {
  const client = new OpenAI({
    baseURL: order.base_url + "/v1",
    apiKey: order.key,
    defaultHeaders: order.headers,
  });
  try {
    return { value: await calls[order.do](client, order.arguments) };
  } catch (error) {
    if (!(error instanceof OpenAI.APIError) || error.status === undefined) throw error;
    const { status, message, code, type, param, requestID: request_id } = error;
    const headers = Object.fromEntries(error.headers);
    const said = error.error.message;
    return { error: error.constructor.name, bases: bases(error), status, message, request_id, headers, code, type, param, said };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await result(JSON.parse(line))));
  }
}

main();
