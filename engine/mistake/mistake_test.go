package mistake

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestError(t *testing.T) {
	for want, m := range map[string]Mistake{
		"is wrong":                                   {Message: "is wrong"},
		"is wrong; mend it":                          {Message: "is wrong", Fix: "mend it"},
		"is wrong; mend it (for agent a)":            {Message: "is wrong", Fix: "mend it", Context: "for agent a"},
		"spec.x: is wrong":                           {Path: "spec.x", Message: "is wrong"},
		"event 2: id: is missing":                    {Object: "event 2", Path: "id", Message: "is missing"},
		"spec: is odd":                               {Line: 3, Column: 1, Path: "spec", Message: "is odd"},
		"a.yaml: is empty":                           {File: "a.yaml", Message: "is empty"},
		"a.yaml:3: Job a/b: spec: is wrong":          {File: "a.yaml", Line: 3, Object: "Job a/b", Path: "spec", Message: "is wrong"},
		"a.yaml:3:7: spec.x: is wrong; mend it":      {File: "a.yaml", Line: 3, Column: 7, Path: "spec.x", Message: "is wrong", Fix: "mend it"},
		`"a\nok: 1 agents\x1b[31m.rego":3:1: is odd`: {File: "a\nok: 1 agents\x1b[31m.rego", Line: 3, Column: 1, Message: "is odd"},
		"scanflow/größe.rego:3:1: is odd":            {File: "scanflow/größe.rego", Line: 3, Column: 1, Message: "is odd"},
	} {
		require.EqualError(t, m, want)
	}
}

func TestMistakes(t *testing.T) {
	require.NoError(t, Mistakes{}.Err())
	var ms Mistakes
	ms.Add("b", "is wrong", "mend it")
	ms = append(ms, Mistake{File: "b", Line: 2, Message: "z"}, Mistake{File: "b", Line: 1, Column: 2}, Mistake{File: "b", Line: 1, Column: 1}, Mistake{File: "b", Line: 2, Message: "a"},
		Mistake{File: "a", Line: 9}, Mistake{File: "a", Line: 9})
	require.EqualError(t, ms.Sorted().Err(), "b: is wrong; mend it\na:9: \nb:1:1: \nb:1:2: \nb:2: z\nb:2: a")
	var found Mistakes
	require.True(t, errors.As(fmt.Errorf("read it: %w", ms.Err()), &found))
	require.Equal(t, ms, found)
}

func TestKey(t *testing.T) {
	for want, key := range map[string]string{
		"a.replicas": "replicas", "a.X-Scope_1": "X-Scope_1", `a["model.promote"]`: "model.promote", `a["1x"]`: "1x", `a["größe"]`: "größe", `a["x\ny"]`: "x\ny", `a[""]`: "",
	} {
		require.Equal(t, want, Key("a", key))
	}
}

func TestCollector(t *testing.T) {
	var all, event Collector
	require.NoError(t, all.Err())
	for range collected {
		event.Add(Mistake{Path: "id", Message: "is missing"})
	}
	all.AddAll("event 1", event)
	require.Len(t, all.Err(), collected)
	event.Add(Mistake{}, Mistake{})
	all.AddAll("event 2", event)
	var found Mistakes
	require.ErrorAs(t, all.Err(), &found)
	require.Len(t, found, collected+1)
	require.EqualError(t, found[0], "event 1: id: is missing")
	require.EqualError(t, found[collected], "52 more mistakes are not shown")
}
