"""Prints "PASSED FAILED" of a JUnit file that ctest wrote. What was meant to be left out (skipped by itself, disabled) is in
neither; what could not start, or lacked what it depends on, has failed."""

import sys
import xml.etree.ElementTree as tree


def left_out(case):
    skipped = case.find("skipped")
    asked = skipped is not None and skipped.get("message", "").startswith("SKIP_")
    return case.get("status") == "disabled" or asked


def main():
    try:
        cases = tree.parse(sys.argv[1]).getroot().findall("testcase")
    except (OSError, tree.ParseError) as error:
        print(f"error: {sys.argv[1]}: {error}", file=sys.stderr)
        cases = []
    cases = [c for c in cases if not left_out(c)]
    passed = sum(c.get("status") == "run" and c.find("failure") is None for c in cases)
    print(passed, len(cases) - passed)


if __name__ == "__main__":
    main()
