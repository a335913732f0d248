// Edits pictures with the official SDK and with fetch alone, as form_calls.py does.
'use strict'
const fs = require('node:fs')
const OpenAI = require('openai')

async function main () {
  const [url, key, path] = process.argv.slice(2)
  const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 0 })
  const one = () => fs.createReadStream(path)
  await client.images.edit({ image: one(), prompt: 'hé', n: 3, quality: 'high', model: 'gpt-image-1' })
  await client.images.edit({ image: [one(), one()], prompt: 'a cat', model: 'gpt-image-1' })
  const form = new FormData()
  form.append('image', new Blob([fs.readFileSync(path)], { type: 'image/png' }), 'a "b".png')
  form.append('prompt', 'two\nlines')
  form.append('n', 2)
  const headers = { authorization: `Bearer ${key}` }
  for (const body of [form, new URLSearchParams({ n: '4', quality: 'low', prompt: 'é&; ' })]) {
    const answer = await fetch(`${url}/images/edits`, { method: 'POST', headers, body })
    if (!answer.ok) throw new Error(await answer.text())
  }
}

main().catch((error) => { console.error(error); process.exit(1) })
