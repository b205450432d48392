package shard

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestParse(t *testing.T) {
	for text, by := range map[string]string{"": "", "0/1": "namespace", "2/3": "name", "1/2": "label=team"} {
		s, err := Parse(text, by)
		require.NoError(t, err)
		require.Equal(t, text == "" || text == "0/1", s.whole(), "%s", text)
	}
	for _, bad := range []string{"3/3", "-1/3", "1", "1/0", "a/b", "1/2/3"} {
		_, err := Parse(bad, "namespace")
		require.ErrorContains(t, err, "write I/N with I from 0 to N-1")
	}
	for _, bad := range []string{"label=", "team", "names"} {
		_, err := Parse("0/2", bad)
		require.ErrorContains(t, err, "write namespace, name or label=KEY")
	}
}

// Every target is of one shard, and what is to be kept together is.
func TestEachTargetIsOfOneShard(t *testing.T) {
	for _, by := range []string{"namespace", "name", "label=team"} {
		taken := make([]int, 3)
		for i := range 300 {
			ns, name, labels := fmt.Sprintf("ns-%d", i%30), fmt.Sprintf("web-%d", i), map[string]string{"team": fmt.Sprint(i % 20)}
			owners := 0
			for index := range 3 {
				s := Shard{Index: index, Of: 3, By: by}
				if s.Owns(ns, name, labels) {
					owners++
					taken[index]++
					require.True(t, s.Remembers(engine.TargetID{Namespace: ns, Name: name}))
				}
				require.Equal(t, s.Owns(ns, name, labels), Shard{Index: index, Of: 3, By: by}.Owns(ns, name, labels))
			}
			require.Equal(t, 1, owners, "%s: %s/%s", by, ns, name)
		}
		for index, n := range taken {
			require.Greater(t, n, 40, "%s: shard %d has its part", by, index)
		}
	}
	one := Shard{Index: 1, Of: 3, By: "namespace"}
	require.Equal(t, one.Owns("a", "x", nil), one.Owns("a", "y", map[string]string{"team": "z"}))
}
