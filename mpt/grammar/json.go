package grammar

// JSONObject is the schema of any JSON object.
const JSONObject = `{"type":"object"}`
