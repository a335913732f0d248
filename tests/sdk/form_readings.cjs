// Reads bodies as servers on Node do: a line of JSON in, a line of JSON out, as form_readings.py does.
'use strict'
const readline = require('node:readline')
const querystring = require('node:querystring')
const busboy = require('busboy')

const TEXTS = ['n', 'size', 'prompt']
const ITEMS = ['image', 'image[]']

// Pairs of name and text; a file has no text.
function reading (pairs) {
  const texts = {}
  for (const name of TEXTS) texts[name] = pairs.filter(([key]) => key === name).map(([, text]) => text)
  return { texts, items: pairs.filter(([key]) => ITEMS.includes(key)).length }
}

const readers = {
  busboy: (type, body) => new Promise((resolve, reject) => {
    const pairs = []
    const parser = busboy({ headers: { 'content-type': type }, limits: { fieldSize: 1 << 20 } })
    parser.on('field', (name, text) => pairs.push([name, text]))
    parser.on('file', (name, file) => { pairs.push([name, null]); file.on('error', reject).resume() })
    parser.on('error', reject)
    parser.on('close', () => resolve(reading(pairs)))
    parser.end(body)
  }),
  undici: async (type, body) => {
    const form = await new Response(body, { headers: { 'content-type': type } }).formData()
    return reading([...form].map(([name, value]) => [name, typeof value === 'string' ? value : null]))
  },
  searchParams: async (type, body) => {
    if (type.startsWith('multipart/')) return null
    return reading([...new URLSearchParams(body.toString('latin1'))])
  },
  querystring: async (type, body) => {
    if (type.startsWith('multipart/')) return null
    const pairs = Object.entries(querystring.parse(body.toString('latin1')))
    return reading(pairs.flatMap(([name, text]) => [text].flat().map((one) => [name, one])))
  }
}

async function json (body) {
  const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  const texts = {}
  const text = (one) => typeof one === 'string' ? one : JSON.stringify(one)
  for (const name of TEXTS) texts[name] = value[name] == null ? [] : [text(value[name])]
  return { texts, items: value.image == null ? 0 : value.image.length }
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { type, body: hex } = JSON.parse(line)
    const body = Buffer.from(hex, 'hex')
    const all = type.startsWith('application/json')
      ? [['JSON.parse', json(body)]]
      : Object.entries(readers).map(([name, read]) => [name, Promise.resolve().then(() => read(type, body))])
    const read = await Promise.all(all.map(async ([name, one]) => [name, await one.catch(() => null)]))
    process.stdout.write(JSON.stringify(read) + '\n')
  }
}

main()
