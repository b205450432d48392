package app

import (
	"testing"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

func TestMain(m *testing.M) { testcluster.Main(m) }
