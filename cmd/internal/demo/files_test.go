package demo

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func TestTheFilesAreLaidOutAsTheyShip(t *testing.T) {
	o := &Options{Dir: t.TempDir(), Speed: 1, Out: &bytes.Buffer{}}
	f, err := writeAutoscaleFiles(o, "/models/m.digits")
	require.NoError(t, err)
	agents, err := manifest.Read([]string{f.agents}, agentspec.Kinds())
	require.NoError(t, err)
	require.Len(t, agents, 1)
	require.FileExists(t, f.policies.Paths[0]+"/.manifest")
	require.FileExists(t, f.policies.Paths[0]+"/scanflow/strategies/serving/autoscale/autoscale_test.rego")
	src, err := f.policies.Read(t.Context())
	require.NoError(t, err)
	shipped, err := policysource.Source{}.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, shipped.ID(), src.ID())
}
