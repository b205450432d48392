// Package tracker is a small server of MLflow's REST API, for a laptop and for
// tests: experiments, runs, the model registry and the artifact proxy, on one SQLite
// file and one folder of artifacts. MLflow's own clients and Scanflow's talk to it as
// to MLflow: the same paths, shapes, error codes and filter grammar.
//
// What was answered is on the disk. It never keeps half of a request, never opens a
// path outside its folder, and never takes a value that MLflow would refuse. It has
// no web page, no traces, no logged models and no data sets, and knows nothing of
// agents or policies: for more, use MLflow.
//
// Start reading at routes.go (the API), then runs.go; filter.go has the grammar of searches,
// where.go its translation to SQL, and store.go the database file.
package tracker
