"""Writes cases.json: small templates of our own, and what Jinja2 renders of them as Hugging Face transformers sets it up.

Run with Python 3 and jinja2==3.1.6: python make-cases.py
"""

import json
import pathlib

import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

MESSAGES = [
    {"role": "user", "content": "\n Hi <|im_end|>\u00df \n"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\n\n  ok"},
    {"role": "tool", "content": 'a "b"\n\'c\'', "name": None, "n": 2, "flag": True, "list": ["x", "y's"]},
]
ARGUMENTS = {"city": "K\u00f6ln", "Days": 2, "deep": {"a": [1, None, False]}, "_x": ""}

SOURCES = [
    # Methods of strings with and without an argument.
    *(f"[{{{{ messages[{i}].content.{call} }}}}]" for i in (0, 1) for call in (
        "strip()", "lstrip()", "rstrip()", "strip('\\n')", "lstrip('\\n')", "rstrip('\\n')", "strip(' \\n')",
        "upper()", "lower()", "title()", "capitalize()", "split()", "split(None, 1)", "rsplit(None, 1)",
        "split('\\n')", "split('\\n', 1)", "rsplit('\\n', 1)", "split('</think>')[-1].lstrip('\\n')",
        "splitlines()", "replace('i', '<i>')", "replace('', '-')", "replace('i', 'I', 1)", "find('i')",
        "count('i')", "startswith('<think>')", "endswith(('x', 'ok'))", "removeprefix('<think>')", "removesuffix('ok')",
    )),
    "{{ ', '.join(['a', 'b']) }}|{{ '-' * 5 }}|{{ 'ab'[::-1] }}|{{ 'a\U0001f600b'[1] }}|{{ 'a\U0001f600b'[:2] }}",
    # Filters.
    *(f"[{{{{ messages[{i}].content | {name} }}}}]" for i in (0, 1) for name in (
        "trim", "upper", "title", "capitalize", "length", "string", "first", "last", "list", "reverse", "indent",
        "indent(2, true)", "indent(width='> ', blank=true)", "replace('i', 'o')", "tojson", "tojson(ensure_ascii=true)",
        "safe", "default('x')",
    )),
    "{{ arguments | string }}|{{ arguments }}|{{ messages[2] | string }}|{{ (1, 'a') }}|{{ [1.0, 'it\\'s'] }}",
    "{{ arguments | items | list }}|{{ arguments | dictsort }}|{{ arguments | dictsort(by='key', reverse=true) | first }}",
    "{{ arguments | list }}|{{ arguments | length }}|{{ arguments | tojson(indent=2) }}",
    "{{ messages | map(attribute='role') | join(', ') }}|{{ messages | map(attribute='nope', default='-') | join }}",
    "{{ ['a', 'b'] | map('upper') | list }}|{{ [1, 2, 3, 4] | select('odd') | list }}|{{ [1, 2] | reject('eq', 1) | list }}",
    "{{ [0, 1, ''] | select | list }}|{{ [3, none, 'x'] | reject('none') | list }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ messages | rejectattr('flag') | list | length }}",
    "{{ ['a', 'b'] | selectattr('role') | list }}|{{ messages | selectattr('n', 'defined') | map(attribute='n') | list }}",
    "{{ messages | selectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | join('+') }}",
    "{{ '<a>'|safe + messages[0].content + '<b>'|safe }}|{{ '<a>'|safe ~ '<c>' }}",
    # What a value prints as, and what equals what.
    "{{ none }}|{{ true }}|{{ false }}|{{ 1 }}|{{ 2.0 }}|{{ missing }}|{{ 'a' ~ none ~ true ~ missing }}",
    "{{ messages[2].name }}|{{ [none, true, 'a\"b', \"c'd\", '\\n\u00df\u200b'] }}|{{ {} }}|{{ [] }}",
    "{{ missing == none }}|{{ 1 == '1' }}|{{ 1 == 1.0 }}|{{ true == 1 }}|{{ [1, [2]] == [1, [2]] }}|{{ messages[0] == messages[0] }}",
    "{{ 1 in [1, 2] }}|{{ [1] in [[1]] }}|{{ 'x' in missing }}|{{ 'Days' in arguments }}|{{ none in [none] }}",
    "{{ arguments is mapping }}|{{ arguments is iterable }}|{{ 'a' is iterable }}|{{ (1, 2) is sequence }}|{{ 1 is number }}|{{ 1 is iterable }}",
    # Loops, with break and continue, over anything.
    "{% for c in 'ab\U0001f600' %}[{{ c }}]{% endfor %}{% for c in missing %}x{% else %}none{% endfor %}",
    "{% for k in arguments %}{{ k }};{% endfor %}{% for k, v in arguments.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }};{% endfor %}{% for i in [1, 2, 3] if i != 2 %}{{ i }}{{ loop.last }}{% endfor %}",
    "{% for i in [1, 2, 3] %}a{% if i == 2 %}b{% break %}{% endif %}c{% endfor %}",
    "{% for i in [1, 2, 3] %}a{% if i == 2 %}b{% continue %}{% endif %}c{% endfor %}",
    "{% for i in [1, 2] %}{% for j in [1, 2] %}{{ i }}{{ j }}{% if j == 1 %}{% continue %}{% endif %}!{% endfor %}{% endfor %}",
    "{% set levels = {0: 'a', 512: 'b'} %}{% for k, v in levels | dictsort %}{{ k + 1 }}{{ v }}{% endfor %}{{ levels[512] }}{{ levels }}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + loop.index %}{% endfor %}{{ ns.n }}",
    "{% macro tag(name, value='-') %}<{{ name }}>{{ value }}</{{ name }}>{% endmacro %}{{ tag('a') }}{{ tag('b', arguments.Days) }}",
    "{% set block %}x{{ messages[0].content }}y{% endset %}{{ block | trim }}|{% filter upper %}ab{{ 'c' }}{% endfilter %}",
]


def main() -> None:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = lambda value, ensure_ascii=False, indent=None: json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent
    )
    items = {"messages": MESSAGES, "arguments": ARGUMENTS}
    cases = [
        {"source": source, "text": environment.from_string(source).render(**items)} for source in SOURCES
    ]
    path = pathlib.Path(__file__).with_name("cases.json")
    path.write_text(json.dumps({"items": items, "cases": cases}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


main()
