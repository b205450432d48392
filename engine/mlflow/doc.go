// Package mlflow is a client of an MLflow tracking server and model registry, over
// their REST API (version 2.0, https://mlflow.org/docs/latest/rest-api.html):
// experiments, runs, artifacts through the server's proxy, registered models, their
// versions, aliases and stages.
//
// Every call takes a context, and each request a time of its own. The client retries
// nothing: a caller knows best whether it may ask twice, and [Passing] tells whether
// that is worth while. It follows no redirect, reads no more of an answer than it
// expects, and never puts a credential into an error. It knows nothing of agents.
//
// Start reading at client.go, then runs.go and versions.go.
package mlflow
