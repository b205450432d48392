module github.com/scanflow-k8s/scanflow/cmd/internal/tracker/testdata/mlflow

go 1.26.7

require (
	github.com/Astera-org/mlflow-go v0.0.2
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/google/uuid v1.3.1 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
