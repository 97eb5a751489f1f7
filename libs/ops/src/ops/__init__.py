"""The operator's command line: aftersales."""
