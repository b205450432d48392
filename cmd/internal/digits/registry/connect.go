package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// The environment variables of MLflow's own clients.
const (
	URIVariable      = "MLFLOW_TRACKING_URI"
	tokenVariable    = "MLFLOW_TRACKING_TOKEN"
	userVariable     = "MLFLOW_TRACKING_USERNAME"
	passwordVariable = "MLFLOW_TRACKING_PASSWORD"
)

// Connect returns a client of the tracker that the environment names. It sends no request.
func Connect(getenv func(string) string) (*mlflow.Client, error) {
	if getenv(URIVariable) == "" {
		return nil, errors.New(URIVariable + " is not set: it says where the tracker is, as http://127.0.0.1:5000")
	}
	c, err := mlflow.New(mlflow.Options{URL: getenv(URIVariable), Headers: mlflow.Authorization(authorization(getenv))})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", URIVariable, err)
	}
	return c, nil
}

func authorization(getenv func(string) string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		switch token, user := getenv(tokenVariable), getenv(userVariable); {
		case token != "":
			return "Bearer " + token, nil
		case user != "":
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+getenv(passwordVariable))), nil
		}
		return "", nil
	}
}
