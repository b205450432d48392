// Package mlflow is a client of an MLflow tracking server and model registry, over
// their REST API (version 2.0, https://mlflow.org/docs/latest/rest-api.html):
// experiments, runs, artifacts through the server's proxy, registered models, their
// versions, aliases and stages.
//
// Every call takes a context, and each request has a timeout of its own. The client retries
// nothing: the caller knows whether a repeated call is safe, and [Retryable] reports whether it
// may help. The client follows no redirect, bounds how much of an answer it reads, and never
// puts a credential into an error. It imports no other package of the engine but redact.
//
// Start reading at client.go, then runs.go and versions.go.
package mlflow
