// Package mlflowtest has nothing but tests: of the MLflow client (engine/mlflow), the
// sensor (sensors/mlflow.go) and the verbs (actuators/mlflow), against the embedded
// tracker. Their own packages can't import it, and test what a server does wrong.
//
// Start reading at world_test.go.
package mlflowtest
