"""Weixin: customer service (微信客服) behind the connector port, its callback crypto, and a mock."""
