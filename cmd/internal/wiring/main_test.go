package wiring

import (
	"testing"

	"github.com/scanflow-k8s/scanflow/engine/kube/testcluster"
)

func TestMain(m *testing.M) { testcluster.Main(m) }
