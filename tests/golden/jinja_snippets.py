"""Small Jinja templates: written by hand, and drawn from a grammar with a fixed seed."""
import random

VARIABLES = {
    "s": "Hello World", "empty": "", "u": "Gr\u00fc\u00dfe \u4f60\u597d \U0001f600!", "sp": "  a  b\t\n c \u3000",
    "q": "it's \"quoted\"\\\n", "csv": "a,b,,c", "n": 7, "zero": 0, "neg": -3, "f": 2.5, "big": 1e22, "tiny": 1.5e-7,
    "t": True, "no": False, "none_value": None, "xs": [3, 1, 2], "names": ["bob", "Alice", "carol"], "mixed": [1, "a", None, 2.0, [1]],
    "nested": {"a": {"b": [1, {"c": "deep"}]}, "items": "shadow"}, "d": {"k": "v", "n": 1, "list": [1, 2]}, "el": [], "ed": {},
    "users": [{"name": "Bob", "age": 30, "tags": ["x"]}, {"name": "alice", "age": 25}, {"name": "Carol", "age": 30, "ok": True}],
    "html": "<b>&'\"</b>", "num": " 42 ", "hex": "0x1F",
}

HAND = r"""
{{ 1 }} {{ 1.0 }} {{ 1e16 }} {{ 1e15 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ 0.0001 }} {{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }}
{{ 123456789012345680.0 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ big }} {{ tiny }} {{ -0.0 }}
{{ true }} {{ False }} {{ none }} {{ None }} {{ [1, 'a', none, 2.5, true] }} {{ (1,) }} {{ () }} {{ (1, 2) }} {{ {} }} {{ {'a': 1, 2: [3]} }}
{{ d }} {{ nested }} {{ mixed }} {{ [u, q] }} {{ ['\x00\x7f\xa0\u200b'] }} {{ ["it's"] }} {{ ['say "hi"'] }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ 7 / 2 }} {{ 6 / 2 }}
{{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ 10 - 2 - 3 }} {{ 'a' ~ 1 ~ none ~ 1.5 }} {{ (1 ~ 2) + '3' }}
{{ 1 ~ 2 + 3 }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1.0 // 0 }}
{{ 1.5 % 0 }}
{{ 1.5 / 0 }}
{{ 0 ** -1 }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + (2,) }}
{{ [1] + [2] }} {{ (1,) + (2,) }} {{ 'ab' * 3 }} {{ 3 * [0] }} {{ 'x' * -1 }} {{ true + true }} {{ (1, 2) * 2 }}
{{ none + 1 }}
{{ -'a' }}
{{ -none }}
{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1, 2) == (1, 2) }} {{ [1] == (1,) }} {{ 'a' == 1 }} {{ {'a': 1} == {'a': 1.0} }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ [1] < [none] }}
{{ 1 in [1, 2] }} {{ 3 not in [1, 2] }} {{ 'ell' in s }} {{ 'k' in d }} {{ 'v' in d }} {{ not 1 in [2] }} {{ 1 in (1, 2) }} {{ 2 in range(5) }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ 'a' in none }}
{{ x }} {{ x is defined }} {{ d.zzz }} {{ d.zzz is defined }} {{ d['zzz'] is undefined }} {{ xs[10] is defined }} {{ x | default('dflt') }} {{ '' | default('e', true) }} {{ none_value | default('n') }} {{ none_value | d('n', boolean=true) }}
{{ x.y }}
{{ x['y'] }}
{{ x() }}
{{ x + 1 }}
{{ 'a' + x }}
{{ 1 + x }}
{{ x < 1 }}
{{ 1 < x }}
{{ -x }}
{{ x == y }} {{ x != y }} {{ x == none }} {{ x in [1] }} {{ 1 in x }} {{ x ~ 'a' }} {{ not x }} {{ x or 'other' }} {{ x and 1 }} {{ x | length }} {{ x | list }} {{ x | join(',') }} {{ [x] }} {{ x | string }} {{ x | upper }} {{ x | first }} {{ x | last }}
{{ d.zzz.y }}
{{ nested.a.b[1].c }} {{ nested['a']['b'][0] }}
{{ nested['items'] }} {{ nested.a.b.1.c }} {{ nested.a.b[-1]['c'] }} {{ d.list.0 }} {{ xs.0 }} {{ 'abc'.1 }}
{{ none_value.x }} {{ n.x }} {{ s.nope }} {{ xs.nope }} {{ s[0] }} {{ s[-1] }} {{ s[99] is defined }} {{ u[0] }} {{ u[7] }} {{ u[-2] }}
{{ none_value.x.y }}
{{ xs[10].y }}
{{ xs['a'].y }}
{{ n.x.y }}
{{ s.__class__ }} {{ s.__class__ is defined }}
{{ s.__class__.__mro__ }}
{{ xs.append(1) }}
{{ d.update({}) }}
{{ xs.append is defined }} {{ d.pop is defined }}
{{ xs[1:] }} {{ xs[:-1] }} {{ xs[::-1] }} {{ xs[::2] }} {{ s[::-1] }} {{ s[2:5] }} {{ u[4:8] }} {{ s[-3:] }} {{ xs[5:] }} {{ (1, 2, 3)[1:] }} {{ s[10:2:-2] }} {{ xs[:] }} {{ range(10)[2:5] }} {{ range(10)[::-1] | list }}
{{ xs[::0] }}
{{ d[1:] }}
{{ n[1:] }}
{{ xs['a':] }}
{{ x[1:] }}
{{ 'a' if t else 'b' }} {{ 'a' if no else 'b' }} {{ 'a' if no }} {{ ('a' if no) is defined }} {{ 1 if no else 2 if t else 3 }}
{{ ('a' if no).x }}
{{ s | upper }} {{ s | lower }} {{ u | upper }} {{ 'STRASSE \u03a3\u0391\u03a3' | lower }} {{ '\ufb01n \u01c6 \u1e9e' | upper }} {{ s | title }} {{ 'foo-bar (baz) [qux x' | title }} {{ 'hELLO wORLD' | capitalize }} {{ '\ufb01N' | capitalize }} {{ 42 | upper }} {{ none | lower }}
{{ sp | trim }}| {{ 'xxaxx' | trim('x') }} {{ 5 | trim }} {{ s | trim('Hd') }}
{{ s | length }} {{ u | length }} {{ xs | count }} {{ d | length }} {{ '' | length }}
{{ n | length }}
{{ none | length }}
{{ xs | join }} {{ xs | join('-') }} {{ mixed | join(', ') }} {{ users | join('/', attribute='name') }} {{ d | join(',') }} {{ 'abc' | join('.') }} {{ xs | join(0) }}
{{ 5 | join }}
{{ xs | first }} {{ xs | last }} {{ s | first }} {{ s | last }} {{ el | first }} {{ el | last is defined }} {{ d | first }} {{ d | last }}
{{ 5 | first }}
{{ 5 | last }}
{{ xs | sort }} {{ names | sort }} {{ names | sort(case_sensitive=true) }} {{ xs | sort(reverse=true) }} {{ users | sort(attribute='age,name') | map(attribute='name') | list }} {{ users | sort(attribute='age', reverse=true) | map(attribute='name') | list }} {{ d | sort }} {{ 'hello' | sort }}
{{ mixed | sort }}
{{ xs | min }} {{ xs | max }} {{ names | min }} {{ users | max(attribute='age') }} {{ el | min is defined }} {{ names | max(case_sensitive=true) }}
{{ xs | sum }} {{ users | sum(attribute='age') }} {{ xs | sum(start=10) }} {{ [1.5, 2] | sum }} {{ [[1], [2]] | sum(start=[]) }} {{ el | sum }}
{{ names | sum }}
{{ xs | reverse | list }} {{ s | reverse }} {{ d | reverse | list }} {{ range(3) | reverse | list }} {{ u | reverse }} {{ xs | map('string') | reverse | list }}
{{ 5 | reverse }}
{{ ['a', 'A', 'b', 1, 1.0] | unique | list }} {{ ['a', 'A'] | unique(case_sensitive=true) | list }} {{ users | unique(attribute='age') | map(attribute='name') | list }}
{{ [[1], [1]] | unique | list }}
{{ xs | map('string') | list }} {{ names | map('upper') | join(',') }} {{ users | map(attribute='tags.0', default='-') | list }} {{ users | map(attribute='nope') | list }} {{ xs | map('default', 1) | list }} {{ names | map('replace', 'o', '0') | list }} {{ el | map('nofilter') | list }}
{{ xs | map('nofilter') | list }}
{{ xs | map | list }}
{{ xs | map(attribute='a', foo=1) | list }}
{{ xs | map('string') | length }}
{{ (xs | map('string')) is iterable }} {{ (xs | map('string')) is sequence }} {% if el | map('string') %}truthy{% else %}falsy{% endif %}
{% set g = xs | map('string') %}{{ g | list }}{{ g | list }}
{% set g = xs | select('odd') %}{{ 3 in g }}{{ g | list }}
{{ xs | select('odd') | list }} {{ xs | reject('odd') | list }} {{ mixed | select | list }} {{ mixed | reject('none') | list }} {{ xs | select('divisibleby', 3) | list }} {{ xs | select('>', 1) | list }} {{ names | select('in', ['bob']) | list }} {{ mixed | select('string') | list }}
{{ xs | select('nope') | list }}
{{ users | selectattr('age', 'equalto', 30) | map(attribute='name') | list }} {{ users | rejectattr('ok') | map(attribute='name') | list }} {{ users | selectattr('tags', 'defined') | map(attribute='name') | list }} {{ users | selectattr('ok') | list }}
{{ users | selectattr | list }}
{{ 'a-b-c' | replace('-', '+') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ 123 | replace(2, 'x') }} {{ 'ab' | replace('', '.') }} {{ s | replace('o', '') }}
{{ 'a' | replace }}
{{ d | items | list }} {{ x | items | list }} {{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ d.items() | list }} {{ d.keys() | length }} {{ ('k', 'v') in d.items() }} {{ d | dictsort }} {{ {'b': 1, 'A': 2} | dictsort }} {{ {'b': 1, 'A': 2} | dictsort(true) }} {{ {'b': 1, 'A': 2} | dictsort(by='value', reverse=true) }}
{{ 5 | items | list }}
{{ d | dictsort(by='x') }}
{{ d | dictsort(by='value') }}
{{ d.get('k') }} {{ d.get('z') }} {{ d.get('z', 'dflt') }} {{ d.get('z') is none }} {{ d.copy() }} {{ xs.index(2) }} {{ xs.count(1) }} {{ (1, 2).index(2) }}
{{ xs.index(99) }}
{{ d.get() }}
{{ '42' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ num | int }} {{ '3.9' | int }} {{ 3.9 | int }} {{ -3.9 | int }} {{ true | int }} {{ hex | int(base=16) }} {{ '1_0' | int }} {{ none | int }} {{ [] | int(9) }} {{ 'inf' | int }} {{ '101' | int(0, 2) }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 'x' | float(1) }} {{ 3 | float }} {{ '1e3' | float }} {{ 'nan' | float }} {{ '-inf' | float }} {{ ' 2 ' | float }} {{ none | float }}
{{ x | int }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 2.567 | round(2) }} {{ 2.1 | round(method='ceil') }} {{ 2.99 | round(1, 'floor') }} {{ 5 | round }} {{ -2.5 | round }} {{ 2.675 | round(2) }} {{ 1e20 | round }} {{ 5 | round(method='floor') }}
{{ 'a' | round }}
{{ 1 | round(method='x') }}
{{ -5 | abs }} {{ -5.5 | abs }} {{ true | abs }} {{ 5 | string }} {{ [1] | string }} {{ s | list }} {{ d | list }} {{ 3 | string ~ 4 }}
{{ 'a' | abs }}
{{ d | tojson }} {{ users | tojson }} {{ u | tojson }} {{ u | tojson(ensure_ascii=true) }} {{ html | tojson }} {{ q | tojson }} {{ [1.0, 1e22, none, true] | tojson }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ (1, 2) | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ '\x01\x7f\u2028' | tojson }}
{{ d | tojson(indent=2) }}|{{ [] | tojson(indent=4) }}|{{ nested | tojson(indent=1) }}|{{ [1, [2]] | tojson(indent='--') }}|{{ d | tojson(separators=(',', ':')) }}|{{ {} | tojson(indent=2) }}|{{ xs | tojson(indent=0) }}
{{ x | tojson }}
{{ [x] | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ (xs | map('string')) | tojson }}
{{ 'nan' | float | tojson }} {{ '-inf' | float | tojson }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb' | indent('> ') }}|{{ '' | indent }}|{{ 'a\n' | indent }}|{{ 'a\n\n' | indent(1) }}
{{ 5 | indent }}
{{ '%s-%d-%05.2f|%5s|%-5s|%x|%%' | format('a', 3, 2.5, 'r', 'l', 255) }} {{ '%s' % 'x' }} {{ '%s %s' % (1, 2) }} {{ '%(a)s' % {'a': 1} }} {{ '%(a)s' | format(a=2) }} {{ '%r' % 'x' }} {{ '%+d % d' % (1, 2) }} {{ '%.3s' % 'abcdef' }} {{ '%e' % 12345.678 }} {{ '%g' % 0.0001 }}
{{ '%s' % (1, 2) }}
{{ '%s %s' % 1 }}
{{ '%d' % 'a' }}
{{ 'abc' % 1 }}
{{ 'abc' % [1] }}
{{ '{} {}'.format(1, 'a') }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x:>5}|{x:<5}|{x:^5}|{x:05d}'.format(x=42) }} {{ '{:,}'.format(1234567) }} {{ '{:.2f}'.format(2.345) }} {{ '{:%}'.format(0.25) }} {{ '{0[k]} {0[list][1]}'.format(d) }} {{ '{{}}'.format() }} {{ '{!r}'.format('a') }} {{ '{:*^9}'.format('mid') }} {{ '{:x}'.format(255) }}
{{ '{}'.format() }}
{{ '{0} {}'.format(1, 2) }}
{{ '{a}'.format() }}
{{ '{:d}'.format('a') }}
{{ '{'.format(1) }}
{{ '}'.format(1) }}
{{ sp.strip() }}|{{ sp.lstrip() }}|{{ sp.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ 'a.b'.rstrip('.b') }}
{{ csv.split(',') }} {{ sp.split() }} {{ csv.split(',', 1) }} {{ csv.rsplit(',', 1) }} {{ 'a b c'.rsplit(none, 1) }} {{ ' a  b '.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a<sep>b'.split('<sep>')[-1] }}
{{ 'abc'.split('') }}
{{ 'a\nb\r\nc\u2028d'.splitlines() }} {{ 'a\nb\n'.splitlines(true) }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }} {{ 'abc'.partition('x') }}
{{ s.startswith('Hello') }} {{ s.startswith(('x', 'He')) }} {{ s.endswith('World') }} {{ s.startswith('World', 6) }} {{ s.endswith('Hello', 0, 5) }} {{ s.startswith('') }}
{{ s.startswith(1) }}
{{ s.startswith(['H']) }}
{{ s.find('o') }} {{ s.find('z') }} {{ s.rfind('o') }} {{ u.find('\u597d') }} {{ s.count('l') }} {{ s.index('W') }} {{ s.find('o', 5) }} {{ 'aaa'.count('') }}
{{ s.index('z') }}
{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ "they're bill's".title() }} {{ s.capitalize() }} {{ s.swapcase() }} {{ 'a'.join(['x', 'y']) }} {{ '-'.join('abc') }} {{ 'aXbX'.replace('X', '.') }} {{ 'aXbX'.replace('X', '.', 1) }} {{ 'ab'.zfill(5) }} {{ '-1'.zfill(4) }} {{ 'ab'.center(7, '*') }} {{ 'abc'.center(6) }}| {{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '.') }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.txt'.removesuffix('.txt') }} {{ 'a\tb'.expandtabs(4) }}
{{ ','.join([1]) }}
{{ 'a'.upper(1) }}
{{ '12'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ 'A'.isupper() }} {{ 'a1'.islower() }} {{ 'Ab Cd'.istitle() }} {{ ''.isdigit() }} {{ 'ab_1'.isidentifier() }} {{ u.isascii() }}
{{ 1 is odd }} {{ 2 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(4) }} {{ 1 is number }} {{ true is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is float }} {{ 'a' is string }} {{ d is mapping }} {{ xs is iterable }} {{ s is iterable }} {{ 1 is iterable }} {{ xs is sequence }} {{ d is sequence }} {{ s is sequence }} {{ 1 is sequence }} {{ none is none }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ true is boolean }} {{ 0 is boolean }}
{{ 1 is not odd }} {{ not 1 is odd }} {{ 'a' is in 'abc' }} {{ 1 is in [1] }} {{ 1 is eq 1 }} {{ 1 is ne 2 }} {{ 2 is gt 1 }} {{ 1 is lessthan 2 }} {{ 1 is sameas 1 }} {{ true is sameas true }} {{ 'a' is lower }} {{ 'A1' is upper }} {{ range is callable }} {{ s is callable }} {{ 'upper' is filter }} {{ 'nofilter' is filter }} {{ 'odd' is test }} {{ none is defined }} {{ xs is defined and xs | length > 2 }} {{ (xs | safe) is escaped }} {{ x is iterable }} {{ x is sequence }} {{ x is mapping }} {{ x is string }} {{ x is none }}
{{ 'a' is odd }}
{{ none is even }}
{{ x is odd }}
{{ html | safe }} {{ (html | safe) + '<i>' }} {{ '<i>' + (html | safe) }} {{ (html | safe) ~ '<i>' }} {{ [html | safe] }} {{ html | safe | upper }} {{ html | safe | length }} {{ html | safe == html }}
{{ range(3) }} {{ range(3) | list }} {{ range(1, 10, 3) | list }} {{ range(5, 0, -2) | list }} {{ range(3) | length }} {{ range(0) | list }} {{ range(3)[1] }} {{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict(d, z=9) }} {{ dict() }} {{ namespace(a=1) }} {{ namespace(a=1).a }} {{ namespace().b is defined }}
{{ range(1000000) }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ dict(1) }}
{{ namespace(_a=1) }}
{{ namespace().b.c }}
{{ raise_exception('my message: ' ~ n) }}
{{ raise_exception(1) }}
{{ s() }}
{{ n(1) }}
{{ d.k.upper() }} {{ (d.k ~ 'x') | upper | lower }} {{ [1, 2, 3] | map('string') | join(',') | upper }} {{ 'a' 'b' "c" }} {{ 'tab\tnl\\n \x41 \u00e9 \' "' }} {{ "\d \é" }} {{ 'a\
b' }}
{% if xs %}a{% endif %}{% if el %}b{% elif ed %}c{% else %}d{% endif %}{% if 0 %}{% elif 1 %}e{% endif %}
{% for i in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for i in xs | select('odd') %}{{ i }}{{ loop.last }}{{ loop.length }}{{ loop.index }};{% endfor %}
{% for i in el %}{% else %}empty{% endfor %}{% for i in xs %}{% else %}empty{% endfor %}{% for i in xs if i > 5 %}{% else %}none{% endfor %}
{% for i in xs if i is odd %}{{ i }}{{ loop.index }}/{{ loop.length }} {% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for c in u %}[{{ c }}]{% endfor %}
{% for k, v in d.items() if v is string %}{{ k }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}
{% for a, b in [(1,)] %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in none %}{% endfor %}
{% for i in x %}{{ i }}{% else %}undef{% endfor %}
{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in xs %}{% continue %}{% else %}E{% endfor %}{% for i in xs %}{% break %}{% else %}E{% endfor %}{% for i in xs %}{% if loop.last %}{% break %}{% endif %}{% else %}E{% endfor %}
{% for i in [1, 2] %}{% for j in [3, 4] %}{{ loop.index }}{{ i }}{{ j }};{% endfor %}{{ loop.index }}{% endfor %}
{% for i in xs %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i // 2) }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}
{% for i in xs %}{{ loop.cycle() }}{% endfor %}
{% for i in xs %}{{ loop }}{% endfor %}
{% for i in xs %}{{ loop(xs) }}{% endfor %}
{% for i in xs %}{{ loop.nope }}{% endfor %}{{ loop }}
{% for i in xs if loop.first %}{{ i }}{% endfor %}
{% set y = 1 %}{{ y }}{% set y = y + 1 %}{{ y }}{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (a, b) = [3, 4] %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}
{% set a, b = 1 %}
{% set a, b = [1] %}
{% set y = 0 %}{% for i in xs %}{% set y = y + i %}{{ y }}{% endfor %}{{ y }}
{% for i in xs %}{% if loop.first %}{% set z = i %}{% endif %}{{ z }}{% endfor %}{{ z }}
{% set ns = namespace(y=0) %}{% for i in xs %}{% set ns.y = ns.y + i %}{% endfor %}{{ ns.y }}{% set ns.new = 'x' %}{{ ns.new }}{{ ns['y'] }}{{ ns }}
{% set s.x = 1 %}
{% set undefinedthing.x = 1 %}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set ns = namespace(a=1) %}{% set ns.a, z = 5, 6 %}{{ ns.a }}{{ z }}
{% if t %}{% set w = 1 %}{% endif %}{{ w }}{% if no %}{% set v = 1 %}{% endif %}{{ v is defined }}{% if no %}{% set s = 'set' %}{% endif %}{{ s }}
{% for i in [1] %}{{ s }}{% endfor %}{% set s = 'later' %}{{ s }}
{{ s }}{% set s = 'later' %}{% for i in [1] %}{{ s }}{% set s = 'inner' %}{{ s }}{% endfor %}{{ s }}
{% for i in [1, 2] %}{{ q2 }}{% set q2 = i %}{{ q2 }}{% endfor %}
{% if no %}{% elif t %}{% set e1 = 1 %}{% else %}{% set e2 = 2 %}{% endif %}{{ e1 }}{{ e2 is defined }}
{% set blk %}a{{ n }}b{% endset %}[{{ blk }}]{{ blk | length }}{% set blk2 | upper | replace('A', 'x') %}abc{% endset %}{{ blk2 }}
{% set blk %}{% set inner = 1 %}{{ inner }}{% endset %}{{ inner is defined }}{{ blk }}
{% set ns = namespace() %}{% set ns.b %}text{% endset %}{{ ns.b }}
{% macro m(a, b=2, c='x') %}[{{ a }},{{ b }},{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c='z') }}{{ m() }}{{ m(b=5, a=4) }}{{ m(1) | upper }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(z=2) }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}{{ m() }}
{% macro m() %}{{ late }}{% endmacro %}{% set late = 'L' %}{{ m() }}{% macro fact(k) %}{% if k > 1 %}{{ k }}*{{ fact(k - 1) }}{% else %}1{% endif %}{% endmacro %}{{ fact(5) }}
{% macro m(a) %}{% set a = a ~ '!' %}{{ a }}{% endmacro %}{{ m('x') }}{{ a is defined }}{{ m }}{{ [m] }}
{% macro m(x) %}{{ caller() }}-{{ x }}{% endmacro %}{% call m(1) %}body{{ n }}{% endcall %}
{% macro m() %}{{ caller('A', b='B') }}{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}body{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m(caller) %}{{ caller }}{% endmacro %}
{% macro m() %}{% for i in xs %}{{ i }}{{ loop.last }}{% endfor %}{% endmacro %}{% for j in [1, 2] %}{{ m() }}{% endfor %}
{% for i in xs %}{% macro inner() %}{{ i }}{% endmacro %}{{ inner() }}{% endfor %}
{% set ns = namespace(f=none) %}{% for i in xs %}{% macro inner() %}<{{ xs[0] }}>{% endmacro %}{% set ns.f = inner %}{% endfor %}{{ ns.f() }}
{% set ns = namespace(l=none) %}{% for i in xs if i %}{% set ns.l = loop %}{% break %}{% endfor %}{{ ns.l.index }}{{ ns.l.nextitem }}{{ ns.l.length }}
{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is defined }}
{% filter upper %}a{{ n }}{% endfilter %}{% filter replace('a', 'b') | upper %}aXa{% endfilter %}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a is defined }}{{ c is defined }}{% with %}{{ n }}{% endwith %}
{% with n = n + 1 %}{{ n }}{% endwith %}{{ n }}
{% print 1, 'a' %}
{% generation %}gen{{ n }}{% set g = 1 %}{% endgeneration %}{{ g is defined }}
{% raw %}{{ not }} {% if %}{# x #}{% endraw %}|{%- raw -%}  {{ a }}  {%- endraw -%}  |
{{ {'a': {'b': {}}}['a'] }}{{ {'x':1}.x }}{{ {'x': [1, 2]}['x'][-1] }}{{ {1: 'i', '1': 's'}[1] }}{{ {1: 'i'}[1.0] }}{{ {true: 'b'}[1] }}
{{ [[1, 2], [3]][0][1] }}{{ [1, 2,] }}{{ {'a': 1,} }}{{ (1, 2,) }}{{ (1) }}
{{ f(*xs) }}
{{ dict(*[[('a', 1)]], **{'b': 2}) }}{{ '{}{}{}'.format(*xs) }}{{ '{a}'.format(**{'a': 1}) }}
{{ dict(**1) }}
{{ n if n is number else s }} {{ (n is odd) ~ 'x' }} {{ n is odd and t }} {{ not n is even or no }} {{ s | length is gt 3 }} {{ s | length > 3 and s | length < 20 }} {{ '1' | int + 1 }}
{{ -5 | string }} {{ (-5) | string }} {{ xs | length * 2 }} {{ -n | abs }} {{ 'x' ~ 3 | string }}
{{ 2 ** 3 | string }}
{{ 1 if }}
{{ }}
{{ 1 +
{{ 1
{% if %}x{% endif %}
{% if t %}x
{% for in xs %}{% endfor %}
{% for x xs %}{% endfor %}
{% nope %}
{% endif %}
{% if t %}{% endfor %}
{% set 1 = 2 %}
{% set true = 2 %}
{% set a.b.c = 2 %}
{% for loop in xs %}{% endfor %}
{% break %}
{% for i in xs %}{% macro z() %}{% break %}{% endmacro %}{% endfor %}
{{ (1 }}
{{ 1) }}
{{ [1} }}
{{ 'unclosed }}
{{ a..b }}
{{ a ! b }}
{{ x | nosuchfilter }}
{{ x is nosuchtest }}
{{ x | }}
{{ x is }}
{{ 1 is odd is even }}
{{ f(a=1, 2) }}
{{ f(a=1, a=2) }}
{# unclosed
{% raw %} unclosed
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(a, a) %}{% endmacro %}
{% call m %}{% endcall %}
{% call 1 %}{% endcall %}
"""

SEVERAL_LINES = [r"""a {# comment #} b {#- strip -#} c {# multi
line #}
d
  {% if t %}
    x
  {% endif %}
y
  {%- if t %}  z  {%- endif %}
  {%+ if t %} p {% endif +%}
q""", r"""{{ 1 }}
{{- 2 -}}
   {{ 3 }}   {% if t -%}   w   {%- endif %}   end
    {% set a = 1 %}
    {# c #}
  {{ a }}
""", r"""{% for i in xs %}
  - {{ i }}
{% endfor %}
last

""",
                 "a\r\nb\rc {% if t %}\r\nx{% endif %}\r\n", "\n\n{{ 1 }}\n\n", "  {% if t %}x{% endif %}  \n  {# c #}\n\t{%- set a = 1 %} y",
                 "x {% if t %}\n  y{% endif %}\n", "{{ 'a\\\nb' }}", "{% raw -%}\n  {{ a }}\n  {% endraw %}\nz", "  {%- raw %}\n x {% endraw +%}\n z"]


def hand_snippets():
    """One template per line; lines that do not begin with a tag belong to the template before them."""
    templates = []
    for line in HAND.strip("\n").split("\n"):
        if line.startswith(("{{ ", "{%", "{#", "a {#", "{{ ")) or not templates:
            templates.append(line)
        else:
            templates[-1] += "\n" + line
    return templates + SEVERAL_LINES


class Grammar:
    """Random expressions and statements: mostly sensible, some that fail."""

    ATOMS = list(VARIABLES) + ["missing", "1", "0", "2", "-1", "1.5", "'a'", "'ab c'", "''", "none", "true", "false", "[]", "[1, 2]",
                               "{}", "{'a': 1}", "('x', 2)", "'\u00e9\u4f60'", "range(4)", "d.k", "d.list", "users[0]", "nested.a.b"]
    FILTERS = ["upper", "lower", "trim", "length", "first", "last", "list", "string", "int", "float", "abs", "round", "sort", "reverse",
               "unique", "sum", "min", "max", "tojson", "capitalize", "title", "join('-')", "join", "default('D')", "default('D', true)",
               "map('upper')", "map('string')", "map(attribute='name')", "select('string')", "select", "reject('odd')", "items",
               "selectattr('age', '>', 26)", "rejectattr('name', 'equalto', 'Bob')", "dictsort", "replace('a', 'b')", "indent(2)",
               "tojson(indent=2)", "center(9)", "trim('a')", "round(1)", "count", "d(1)"]
    TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "mapping", "iterable", "sequence", "boolean", "true",
             "false", "odd", "even", "divisibleby 2", "in xs", "eq 1", "ne 1", "lt 3", "ge 2", "sameas none", "callable", "lower", "upper"]
    METHODS = ["upper()", "strip()", "split()", "split('a')", "split('a', 1)", "startswith('a')", "endswith('c')", "replace('a', 'x')",
               "title()", "find('b')", "count('a')", "items()", "keys()", "values()", "get('k')", "get('z', 1)", "k", "name", "zzz",
               "lstrip('a ')", "rstrip()", "capitalize()", "join(names)", "index(1)", "splitlines()", "isdigit()", "partition('b')"]
    BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]

    def __init__(self, seed):
        self.random = random.Random(seed)

    def expression(self, depth):
        choose = self.random.random()
        if depth == 0 or choose < 0.15:
            return self.random.choice(self.ATOMS)
        part = lambda: self.expression(depth - 1)
        if choose < 0.40:
            return f"{part()} | {self.random.choice(self.FILTERS)}"
        if choose < 0.55:
            return f"({part()} {self.random.choice(self.BINARY)} {part()})"
        if choose < 0.65:
            return f"({part()} is {self.random.choice(['', 'not '])}{self.random.choice(self.TESTS)})"
        if choose < 0.78:
            return f"({part()}).{self.random.choice(self.METHODS)}"
        if choose < 0.86:
            index = self.random.choice(["0", "-1", "1:", ":2", "::-1", "'k'", "5", "1:3", "::2", part()])
            # Jinja folds a slice of a constant that has none to an undefined value, which ftrun refuses.
            return f"{self.random.choice(list(VARIABLES))}[{index}]" if ":" in index else f"({part()})[{index}]"
        if choose < 0.91:
            return f"({part()} if {part()} else {part()})"
        if choose < 0.94:
            return f"[{part()}, {part()}]"
        if choose < 0.97:
            return f"{{'k': {part()}, 'm': {part()}}}"
        return f"({self.random.choice(['not ', '-', '+'])}{part()})"

    def statement(self, depth):
        name = self.random.choice(["a", "b", "s", "n", "ns.v"])
        value = self.expression(1)
        body = lambda: "".join(self.statement(depth - 1) for _ in range(self.random.randint(1, 2))) if depth else "{{ a }}.{{ b }}.{{ n }}\n"
        left, right = self.random.choice(["{%", "{%", "{%-", "  {%"]), self.random.choice(["%}", "%}\n", "-%}", "%} "])
        kind = self.random.choice(["set", "set", "if", "ifelse", "for", "for", "forif", "macro", "setblock", "with", "filter", "print", "text"])
        if kind == "set":
            return f"{left} set {name} = {value} {right}"
        if kind == "if":
            return f"{left} if {value} {right}{body()}{left} endif {right}"
        if kind == "ifelse":
            return f"{left} if {value} {right}{body()}{left} elif n {right}{body()}{left} else {right}{body()}{left} endif {right}"
        if kind == "for":
            return f"{left} for {self.random.choice(['a', 'b', 'n'])} in [1, 2] {right}{body()}{{{{ loop.index }}}}{left} endfor {right}"
        if kind == "forif":
            return f"{left} for a in {value} if a {right}{body()}{left} else {right}none{left} endfor {right}"
        if kind == "macro":
            return f"{left} macro m(a, b=n) {right}{body()}{left} endmacro {right}{{{{ m({value}) }}}}"
        if kind == "setblock":
            return f"{left} set {name} {right}{body()}{left} endset {right}"
        if kind == "with":
            return f"{left} with a = {value} {right}{body()}{left} endwith {right}"
        if kind == "filter":
            return f"{left} filter upper {right}{body()}{left} endfilter {right}"
        return f"{{{{ {value} }}}}" if kind == "print" else "  text\n"


def drawn_snippets(expressions, statements, seed):
    grammar = Grammar(seed)
    templates = ["{{ " + grammar.expression(grammar.random.choice([1, 2, 2, 3])) + " }}" for _ in range(expressions)]
    begin = "{% set ns = namespace(v=0) %}"
    return templates + [begin + "".join(grammar.statement(2) for _ in range(2)) + "{{ a }}|{{ b }}|{{ n }}|{{ ns.v }}"
                        for _ in range(statements)]
