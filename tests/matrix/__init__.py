"""Every address × method × person × credential, judged by a table of its own."""
