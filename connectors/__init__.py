"""Connectors: one package per chat network, each behind the same port; none knows another."""
