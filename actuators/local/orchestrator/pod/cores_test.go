package pod

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseCores(t *testing.T) {
	for text, want := range map[string]Cores{
		"0": {0}, "0-1": {0, 1}, "1,0": {0, 1}, "0-2,5,7-8": {0, 1, 2, 5, 7, 8}, "3-3": {3}, "1023": {1023},
	} {
		got, err := ParseCores(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string][]string{
		"":               {`"" is neither a core nor a range`},
		"a":              {`"a" is neither`},
		"0,":             {`"" is neither`},
		"0 ,1":           {`"0 " is neither`},
		"-1":             {`"-1" is neither`},
		"0-":             {`"0-" is neither`},
		"0-1-2":          {`"0-1-2" is neither`},
		"+1":             {`"+1" is neither`},
		"0x1":            {`"0x1" is neither`},
		"1.5":            {`"1.5" is neither`},
		"3-1":            {`"3-1" ends before it begins; write 1-3`},
		"0,0":            {"core 0 is named twice"},
		"0-2,1":          {"core 1 is named twice"},
		"1024":           {`"1024" goes beyond core 1023`},
		"0-70000":        {`"0-70000" is neither`},
		"a,2-1,0,0,9999": {`"a" is neither`, `"2-1" ends before`, "core 0 is named twice", `"9999" goes beyond`},
	} {
		_, err := ParseCores(text)
		for _, part := range want {
			require.ErrorContains(t, err, part, text)
		}
	}
}

func FuzzParseCores(f *testing.F) {
	for _, text := range []string{"0-1,3", "0,0", "7-2", "-", ",", "0-1023"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cores, err := ParseCores(text)
		if err != nil {
			require.Nil(t, cores)
			return
		}
		parsed, err := ParseCores(cores.String())
		require.NoError(t, err)
		require.Equal(t, cores, parsed)
	})
}
