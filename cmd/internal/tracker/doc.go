// Package tracker is a small server of MLflow's REST API, for a laptop and for
// tests: experiments, runs, the model registry and the artifact proxy, on one SQLite
// file and one folder of artifacts. MLflow's own clients and Scanflow's talk to it as
// to MLflow: the same paths, shapes, error codes and filter grammar.
//
// Every write is durable when it is answered. The tracker never stores a part of a request,
// never opens a path outside its folder, and never accepts a value that MLflow would reject. It
// has no web page, traces, logged models or data sets, for which MLflow itself is needed, and
// knows nothing of agents or policies.
//
// Start reading at routes.go (the API), then runs.go; filter.go has the grammar of searches,
// where.go its translation to SQL, and store.go the database file.
package tracker
