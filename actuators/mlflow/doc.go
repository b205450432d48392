// Package mlflow has the verbs that write to an MLflow tracker: which version of a
// registered model is in production (model.promote, model.rollback), and tags of runs
// (run.tag).
//
// The version in production is the one that an alias names; on a tracker older than
// aliases, the one in the stage of that name. The alias is written last, so that the next
// attempt at the same change completes what an earlier one left undone. MLflow has no
// conditional write of an alias: a write of somebody else between our read and our write is
// lost. The package never decides whether a model is better, and deletes no version.
//
// Start reading at promote.go; production.go reads and writes the version in production.
package mlflow
