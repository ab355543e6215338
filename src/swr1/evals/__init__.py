"""Measuring a policy: metrics over judged records, tables, pictures."""
