#!/usr/bin/env python3
"""Writes unicode_case.h: the case mappings of Unicode as ranges.

    unicode_case.py          writes the header beside it
    unicode_case.py --check  exit 1 if the header differs, 77 if this Python knows another version of Unicode
"""
import pathlib
import sys
import unicodedata

HEADER = pathlib.Path(__file__).with_suffix('.h')


def mappings(change):
    """Code points whose mapping is one code point, and those whose mapping is more."""
    single, several = {}, {}
    for code in range(0x80, 0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        mapped = change(chr(code))
        if mapped == chr(code):
            continue
        if len(mapped) == 1:
            single[code] = ord(mapped)
        else:
            several[code] = mapped
    return single, several


def ranges(single):
    """[first, last, step, difference] of runs in which each, or each second, code point has the same difference."""
    runs = []
    for code, mapped in sorted(single.items()):
        run = runs[-1] if runs else None
        if run and run[3] == mapped - code:
            step = code - run[1]
            if step == run[2] or (run[0] == run[1] and step <= 2):
                run[1], run[2] = code, step
                continue
        runs.append([code, code, 1, mapped - code])
    return runs


def c_text(text):
    return '"' + ''.join(f'\\x{byte:02X}' for byte in text.encode()) + '"'


def table(name, change):
    single, several = mappings(change)
    lines = [f'static const struct case_range {name}_ranges[] = {{']
    lines += [f'    {{0x{a:04X}, 0x{b:04X}, {step}, {difference}}},' for a, b, step, difference in ranges(single)]
    lines += ['};', f'static const struct case_text {name}_texts[] = {{']
    lines += [f'    {{0x{code:04X}, {c_text(text)}}},' for code, text in sorted(several.items())]
    return lines + ['};']


def header():
    return '\n'.join([
        f'/* The case mappings of Unicode {unicodedata.unidata_version} beyond ASCII, without regard to language or place in a word.',
        ' * Made by unicode_case.py; not to be edited. */',
        '/* clang-format off */',
        '#ifndef RX_CORE_EXPR_UNICODE_CASE_H',
        '#define RX_CORE_EXPR_UNICODE_CASE_H',
        '',
        '#include <stdint.h>',
        '',
        '/* Each step-th code point from first to last changes by difference. */',
        'struct case_range {',
        '    uint32_t first, last, step;',
        '    int32_t difference;',
        '};',
        '/* One code point becomes several: UTF-8. */',
        'struct case_text {',
        '    uint32_t code;',
        '    const char *text;',
        '};',
        '',
        *table('lower', str.lower),
        *table('upper', str.upper),
        '',
        '#endif',
        '/* clang-format on */',
        ''])


def main():
    if '--check' not in sys.argv[1:]:
        HEADER.write_text(header())
        return 0
    if f'Unicode {unicodedata.unidata_version} ' not in HEADER.read_text():
        return 77
    return 0 if HEADER.read_text() == header() else 1


sys.exit(main())
