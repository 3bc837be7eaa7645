// node check.mjs SCHEMAS.json SAMPLES.jsonl: says which texts ajv judges otherwise.
import fs from 'node:fs'
import Ajv from 'ajv'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

const [schemas, samples] = process.argv.slice(2)
const validators = new Map()
let wrong = 0
const say = (...words) => { wrong++; console.error(...words) }

// ajv divides floats to see what is a multiple: of 0.05 it is off by some 1e-5 for numbers of 15 digits, the most
// that are written. jsonschema, which counts exactly, judges these, too.
// What draft 7 calls items as a list is another keyword in 2020-12.
const seven = (schema) => typeof schema === 'object' && (/draft-07/.test(schema.$schema ?? '') || Array.isArray(schema.items))

for (const x of JSON.parse(fs.readFileSync(schemas, 'utf8'))) {
  const options = { strict: false, allErrors: false, validateFormats: true, multipleOfPrecision: 4, logger: false }
  const ajv = seven(x.schema) ? new Ajv(options) : new Ajv2020(options)
  addFormats(ajv)
  ajv.addFormat('int32', { type: 'number', validate: (n) => Number.isInteger(n) && n >= -(2 ** 31) && n < 2 ** 31 })
  const validate = ajv.compile(x.schema)
  validators.set(x.name, validate)
  for (const text of [...x.valid, ...x.form]) {
    let value
    try { value = JSON.parse(text) } catch { say(x.name, 'not JSON:', text); continue }
    if (!validate(value)) say(x.name, 'not valid for ajv:', text)
  }
  for (const text of x.invalid) {
    let value
    try { value = JSON.parse(text) } catch { continue }
    if (validate(value)) say(x.name, 'valid for ajv:', text)
  }
}

let count = 0
for (const line of fs.readFileSync(samples, 'utf8').split('\n')) {
  if (line === '') continue
  const { name, text, over } = JSON.parse(line)
  if (!over) continue
  count++
  let value
  try { value = JSON.parse(text) } catch { say(name, 'the model wrote no JSON:', text); continue }
  if (!validators.get(name)(value)) say(name, 'the model wrote:', text)
}
console.log(`${validators.size} schemas, ${count} texts of the model, ${wrong} that ajv judges otherwise`)
process.exit(wrong === 0 ? 0 : 1)
