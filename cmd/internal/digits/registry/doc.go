// Package registry stores digits models in an MLflow tracker: a model file is an
// artifact of the run that trained it, and a version of a registered model names it.
//
// It decides nothing about which version is used. Start reading at model.go; uri.go
// has the names of versions, connect.go the address of the tracker.
package registry
