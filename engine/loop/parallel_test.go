package loop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParallelRunsEachOnceWithinTheLimit(t *testing.T) {
	for _, row := range []struct{ limit, n int }{{1, 5}, {4, 1000}, {16, 3}, {4, 0}} {
		at, most := make(chan struct{}, row.limit), make([]int, row.n)
		parallel(row.limit, row.n, func(i int) {
			select {
			case at <- struct{}{}:
			default:
				t.Error("more at once than the limit")
				return
			}
			most[i]++
			<-at
		})
		for i := range most {
			require.Equal(t, 1, most[i])
		}
	}
}
