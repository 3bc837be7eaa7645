# Renders templates, one JSON text a line, with Jinja set up as transformers does it.
import json, signal, sys
import jinja2, jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(lineno)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception
variables = json.loads(sys.stdin.readline())


def too_long(*_):
    raise TimeoutError("it takes too long")


signal.signal(signal.SIGALRM, too_long)
for line in sys.stdin:
    signal.setitimer(signal.ITIMER_REAL, 5, 5)
    try:
        out = {"text": env.from_string(json.loads(line)).render(**json.loads(json.dumps(variables)))}
        out["text"].encode()
    except Exception as e:  # also of large powers, which Python computes as long as it takes
        out = {"error": type(e).__name__ + ": " + str(e)[:200]}
    print(json.dumps(out), flush=True)
