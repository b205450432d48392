// Package mlflow has the verbs that write to an MLflow tracker: which version of a
// registered model is in production (model.promote, model.rollback), and tags of runs
// (run.tag).
//
// The version in production is the one that an alias names; on a tracker older than
// aliases, the one in the stage of that name. The alias is written last, so that
// whatever an attempt left undone before it is done by the next one, under the same
// change. MLflow can't write an alias on a condition: somebody else's write within the
// moment between the reading and the writing is lost. The package never decides
// whether a model is better, and deletes no version.
//
// Start reading at promote.go; production.go is where a model stands.
package mlflow
