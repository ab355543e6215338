"""CSV of your own: see swr1.loading.columns."""

from swr1.loading.columns import loader

load = loader("csv")
