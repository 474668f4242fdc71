"""What fitting and judging share: figures of labelled cells, their intervals, and how they are drawn."""
