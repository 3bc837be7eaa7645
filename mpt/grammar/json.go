package grammar

// JSONObject is the text of a grammar of any JSON object: no white space but one space behind
// colons and commas, which a model may leave out, so that none goes on with spaces for ever;
// numbers of so many digits, for the same reason; in escapes no half of a surrogate pair.
const JSONObject = `
root   ::= object
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (member ("," " "? member)*)? "}"
member ::= string ":" " "? value
array  ::= "[" (value ("," " "? value)*)? "]"
string ::= "\"" ([^"\\\x00-\x1f] | "\\" escape)* "\""
escape ::= ["\\/bfnrt] | "u" ([0-9a-cA-CefEF] hex{3} | [dD] [0-7] hex{2} | [dD] [89abAB] hex{2} "\\u" [dD] [c-fC-F] hex{2})
hex    ::= [0-9a-fA-F]
number ::= "-"? ("0" | [1-9] [0-9]{0,18}) ("." [0-9]{1,17})? ([eE] [-+]? ([0-9]{1,2} | "1" [0-9]{2} | "2" [0-8] [0-9]))?
`
