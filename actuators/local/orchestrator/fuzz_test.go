package orchestrator

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzPodRecord reads any file as the record of a pod. A record that is accepted is that of
// the file's pod and is written back to the same file; any other file is set aside and
// named in the error.
func FuzzPodRecord(f *testing.F) {
	for _, raw := range []string{
		`{"namespace":"ns","name":"p","uid":"u","pid":-1,"startID":"x","spec":{"containers":[]}}`, `{"namespace":"ns","name":"p","pid":1,"ports":[{}],"restarts":-9}`, `{"namespace":"ns","name":"p","pid":99999999999999999999}`,
		`{"namespace":"..","name":"/../../keep"}`, `{"namespace":"../x","name":"p"}`, `{"namespace":"ns","name":"q"}`, `{}`, `null`, `[]`, ``, `{"namespace":"ns","name":"p","startedAt":"9999-12-31T23:59:59Z"}`,
		`{"namespace":"ns","name":"p","spec":{"containers":[{"resources":{"limits":{"cpu":"1e100000"}}}]}}`, `{"namespace":"ns","name":"p","spec":{"terminationGracePeriodSeconds":-1}}`, "{\"namespace\":\"ns\",\"name\":\"p\",\"node\":\"\xff\\u0000\"}",
		`{"namespace":"ns","name":"p","labels":` + strings.Repeat(`{"a":`, 9000) + `}`, `{"namespace":"ns","name":"p","name":"q"}`, `{"Namespace":"ns","NAME":"p"}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &store{dir: t.TempDir()}
		pods := filepath.Join(s.dir, "pods")
		require.NoError(t, os.Mkdir(pods, 0o700))
		file := filepath.Join(pods, "ns_p.json")
		require.NoError(t, os.WriteFile(file, raw, 0o600))
		records, err := s.loadPods()
		if err != nil {
			require.Empty(t, records)
			require.ErrorContains(t, err, file)
			require.NoFileExists(t, file)
			require.FileExists(t, file+".bad")
			return
		}
		require.Len(t, records, 1)
		require.Equal(t, file, s.podFile(records[0].key()), "it would be forgotten as another")
		require.NoError(t, s.savePod(records[0]))
		again, err := s.loadPods()
		require.NoError(t, err)
		was, err := json.Marshal(records)
		require.NoError(t, err)
		is, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(was), string(is))
		require.NoError(t, s.removePod(records[0].key()))
		require.NoFileExists(t, file)
	})
}

// FuzzOverride reads any file as an override. The result is an override, or an error that
// names the file.
func FuzzOverride(f *testing.F) {
	for _, raw := range []string{
		`{}`, `null`, `{"replicas":{"declared":1,"wanted":-1}}`, `{"replicas":{"wanted":1e100000}}`, `{"weights":{"wanted":{"a":-1}}}`, `{"weights":{"wanted":null}}`, `{"model":null,"restart":"\u0000"}`, `{"replicas":{"wanted":99999999999}}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &store{dir: t.TempDir()}
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, "workloads"), 0o700))
		id := ObjectID{"Deployment", named("ns", "x")}
		require.NoError(t, os.WriteFile(s.overrideFile(id), raw, 0o600))
		w, err := s.loadOverride(id)
		if err != nil {
			require.ErrorContains(t, err, s.overrideFile(id))
			return
		}
		require.NoError(t, s.saveOverride(id, w))
		again, err := s.loadOverride(id)
		require.NoError(t, err)
		require.Equal(t, w, again)
	})
}
