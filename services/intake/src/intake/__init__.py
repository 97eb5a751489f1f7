"""Service requests, triage, first response, surveys (客户服务中心)."""
