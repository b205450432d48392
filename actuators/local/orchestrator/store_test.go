package orchestrator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

func TestOldLogsOfPodsThatAreNoMoreAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(dir)
	require.NoError(t, err)
	long := time.Now().Add(-30 * 24 * time.Hour)
	live := record{Namespace: "test", Name: "live", Log: s.logFile(named("test", "live"))}
	put := func(name string, at time.Time) string {
		file := filepath.Join(dir, "logs", name)
		require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(file, at, at))
		return file
	}
	kept := []string{put("test_live.log", long), put("test_live.log.1", long), put("test_gone.log", time.Now())}
	gone := []string{put("test_old.log", long), put("test_old.log.1", long)}
	require.NoError(t, s.pruneLogs([]record{live}, time.Now().Add(-keepLogs)))
	for _, f := range kept {
		require.FileExists(t, f)
	}
	for _, f := range gone {
		require.NoFileExists(t, f)
	}
	require.NoError(t, s.close())
}

// The names in the files stay: an orchestrator opens the state folder of an earlier version.
func TestOpensAnOverrideOfAnEarlierVersion(t *testing.T) {
	s := &store{dir: t.TempDir()}
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "workloads"), 0o700))
	file := filepath.Join(s.dir, "workloads", "deployment_test_web.json")
	require.NoError(t, os.WriteFile(file, []byte(`{
		"replicas": {"declared": 1, "wanted": 3},
		"weights": {"declared": {"a": 1}, "wanted": {"a": 2}},
		"model": {"fields": [{"container": "web", "env": "MODEL", "wanted": "4", "declared": "3"}], "version": "4", "declared": "3"},
		"place": {"terms": [{"anti": true, "required": true, "term": {"topologyKey": "kubernetes.io/hostname"}}], "nodeSelector": {"kubernetes.io/hostname": "a"}, "declared": {"nodeSelector": {"kubernetes.io/hostname": "b"}}},
		"restart": "change-1"
	}`), 0o600))
	got, err := s.loadOverride(ObjectID{KindDeployment, named("test", "web")})
	require.NoError(t, err)
	three := "3"
	require.Equal(t, override{
		Replicas: &replicasOverride{Declared: 1, Wanted: 3},
		Weights:  &weightsOverride{Declared: map[string]int{"a": 1}, Wanted: map[string]int{"a": 2}},
		Model:    &ModelOverride{Fields: []ModelField{{Container: "web", Env: "MODEL", Wanted: "4", Declared: &three}}, Version: "4", Declared: "3"},
		Placement: &PlacementOverride{
			Terms:        []PlacementTerm{{Anti: true, Required: true, Term: corev1.PodAffinityTerm{TopologyKey: corev1.LabelHostname}}},
			NodeSelector: map[string]string{corev1.LabelHostname: "a"}, Declared: workflow.Placement{NodeSelector: map[string]string{corev1.LabelHostname: "b"}},
		},
		Restart: "change-1",
	}, got)
}
