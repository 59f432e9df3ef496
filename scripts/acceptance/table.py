"""The table of what is wanted and what was measured."""


class Table:
    def __init__(self):
        self.rows = []

    def add(self, check, target, measured, passed):
        """passed: True, False, or None for a line that only informs."""
        self.rows.append((check, target, measured, {True: "pass", False: "FAIL", None: "-"}[passed]))
        print("   " + ": ".join(self.rows[-1][::2]) + f" [{self.rows[-1][3]}]", flush=True)

    def failures(self):
        return sum(row[3] == "FAIL" for row in self.rows)

    def text(self):
        rows = [("check", "target", "measured", ""), *self.rows]
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)
