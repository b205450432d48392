package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// The last value before the load becomes that of its beginning.
func TestTheRecorderBeginsAnew(t *testing.T) {
	r := newReplicaRecorder(time.Now().Add(-time.Minute))
	r.record(r.ready, "a", 1)
	r.record(r.ready, "a", 1)
	r.record(r.ready, "a", 2)
	require.Len(t, r.readyOf("a"), 2)
	r.restart(time.Now())
	require.Equal(t, []plot.Point{{Value: 2}}, r.readyOf("a"))
	r.record(r.ready, "a", 2)
	r.record(r.ready, "a", 3)
	require.Equal(t, 3, valueAt(r.readyOf("a"), time.Hour))
	require.Less(t, r.readyOf("a")[1].At, time.Second)
}
