package clusterview

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// informerCount is the number of informers that have users.
func (v *View) informerCount() (n int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, inf := range v.informers {
		if inf.users > 0 {
			n++
		}
	}
	return n
}

// One informer serves a reader of a field: of the one namespace that is read, or of all.
func TestAReaderOfAFieldHasOneInformer(t *testing.T) {
	c, v := sharedView(t)
	v.linger = 0
	ns := c.Namespace(t)
	c.Apply(t, fmt.Sprintf("---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: first, namespace: %s, labels: {use: train}}\nspec: {completions: 8, template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}\n", ns))
	read, release, err := v.Objects("batch/v1", "Job", map[string]string{"use": "train"}, "spec.completions")
	require.NoError(t, err)
	completions := func(namespace string) (value any) {
		require.NoError(t, read(testContext(t), namespace, func(in, name string, _ map[string]string, _ time.Time, v any, found bool) {
			if in == ns && found {
				value = v
			}
		}))
		return value
	}
	soon(t, "the Job is seen", func() bool { return fmt.Sprint(completions(ns)) == "8" })
	require.Equal(t, 1, v.informerCount(), "the one namespace is followed")
	soon(t, "the Job is seen in all namespaces", func() bool { return fmt.Sprint(completions("")) == "8" })
	require.Equal(t, 1, v.informerCount(), "the cluster is followed instead")
	release()
	require.Zero(t, v.informerCount())
}
