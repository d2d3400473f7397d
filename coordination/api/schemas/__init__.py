"""The shapes of requests and answers: one declaration for validation and for the OpenAPI document."""
