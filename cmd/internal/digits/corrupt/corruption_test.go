package corrupt

import (
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

var rendered = sync.OnceValue(func() digits.Set {
	r, err := digits.NewRenderer(digits.DefaultStyle())
	if err != nil {
		panic(err)
	}
	return r.Set(200, 1)
})

func at(img *digits.Image, x, y int) byte { return img[y*digits.Side+x] }

// cross is ink of 200 on paper: column 9 from row 4 to 23, and row 9 from column 6 to 12.
func cross() (img digits.Image) {
	for y := 4; y < 24; y++ {
		img[y*digits.Side+9] = 200
	}
	for x := 6; x < 13; x++ {
		img[9*digits.Side+x] = 200
	}
	return img
}

func sum(img *digits.Image) (total float64) {
	for _, v := range img {
		total += float64(v)
	}
	return total
}

func apply(kind string, severity int, img digits.Image, index uint64) digits.Image {
	return Corruption{kind, severity}.Apply(&img, stream(1, index))
}

func TestEachCorruptionDoesWhatItsNameSays(t *testing.T) {
	img := cross()
	t.Run("rotation keeps the ink, turns it either way, and leaves the centre", func(t *testing.T) {
		left, right := false, false
		for i := range uint64(20) {
			out := apply("rotation", 3, img, i)
			require.InDelta(t, sum(&img), sum(&out), 0.1*sum(&img))
			upper, lower := middleOf(&out, 12), middleOf(&out, 19)
			left, right = left || upper < lower-2, right || upper > lower+2
		}
		require.True(t, left && right)
	})
	t.Run("shear moves rows sideways, the further from the middle", func(t *testing.T) {
		for i := range uint64(20) {
			out := apply("shear", 5, img, i)
			top, bottom := middleOf(&out, 5)-9, middleOf(&out, 22)-9
			require.InDelta(t, -top, bottom, 0.5)
			require.Greater(t, math.Abs(top), 0.6*5*0.2*8.5-0.5)
			require.Less(t, math.Abs(top), 5*0.2*8.5+0.5)
		}
	})
	t.Run("blur keeps the ink and spreads it", func(t *testing.T) {
		out := apply("blur", 3, img, 0)
		require.InDelta(t, sum(&img), sum(&out), 0.02*sum(&img))
		require.Less(t, at(&out, 9, 16), byte(120))
		require.Positive(t, at(&out, 11, 16))
		require.Zero(t, at(&out, 25, 16))
	})
	t.Run("noise is about as large as its severity says, and differs", func(t *testing.T) {
		var grey digits.Image
		for i := range grey {
			grey[i] = 128
		}
		out, other := apply("noise", 2, grey, 0), apply("noise", 2, grey, 1)
		var squares float64
		for _, v := range out {
			squares += (float64(v) - 128) * (float64(v) - 128)
		}
		require.InDelta(t, 32, math.Sqrt(squares/digits.Pixels), 3)
		require.NotEqual(t, out, other)
	})
	t.Run("stripes invert pairs of columns", func(t *testing.T) {
		for severity := 1; severity <= MaxSeverity; severity++ {
			for i := range uint64(20) {
				out := apply("stripes", severity, img, i)
				inverted := 0
				for x := range digits.Side {
					if out[27*digits.Side+x] == 255 { // paper before
						inverted++
					}
					for y := range digits.Side {
						require.Equal(t, out[27*digits.Side+x] == 255, at(&out, x, y) != at(&img, x, y))
					}
				}
				require.InDelta(t, 2*severity, inverted, 2, "severity %d, image %d", severity, i)
			}
		}
	})
	t.Run("inversion swaps ink and paper, fully at the strongest", func(t *testing.T) {
		out := apply("inversion", MaxSeverity, img, 0)
		require.Equal(t, byte(255), at(&out, 0, 0))
		require.Equal(t, byte(55), at(&out, 9, 16))
		out = apply("inversion", 1, img, 0)
		require.Equal(t, byte(51), at(&out, 0, 0))
		require.Equal(t, byte(11), at(&out, 9, 16))
	})
	t.Run("brightness makes the paper grey, and leaves the order of the greys", func(t *testing.T) {
		out := apply("brightness", 2, img, 0)
		require.Equal(t, byte(72), at(&out, 0, 0))
		require.Equal(t, byte(216), at(&out, 9, 16))
	})
}

// middleOf returns the mean column of a row's ink.
func middleOf(img *digits.Image, y int) float64 {
	var ink, moment float64
	for x := range digits.Side {
		ink += float64(at(img, x, y))
		moment += float64(x) * float64(at(img, x, y))
	}
	return moment / ink
}

func TestEveryKindSpoilsMoreTheHigherItsSeverity(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			last := 0.0
			for severity := 1; severity <= MaxSeverity; severity++ {
				out := Mix{{Corruption{kind, severity}, 1}}.ApplyAll(rendered(), 4)
				var change float64
				for i := range out.Images {
					for j, v := range out.Images[i] {
						change += math.Abs(float64(v) - float64(rendered().Images[i][j]))
					}
				}
				if kind == "inversion" { // the difference to the inverted image decreases instead
					require.Positive(t, change)
					continue
				}
				require.Greaterf(t, change, last, "severity %d", severity)
				last = change
			}
		})
	}
}

func TestWhatIsDoneDependsOnSeedAndIndexAlone(t *testing.T) {
	before := rendered()
	for _, kind := range Kinds() {
		c := Mix{{Corruption{kind, 3}, 1}}
		all := c.ApplyAll(rendered(), 7)
		restore := runtime.GOMAXPROCS(1)
		part := c.ApplyAll(rendered().Slice(0, 50), 7)
		runtime.GOMAXPROCS(restore)
		require.Equal(t, all.Slice(0, 50), part, kind)
		if kind != "blur" && kind != "inversion" && kind != "brightness" { // these draw nothing
			require.NotEqual(t, all.Images, c.ApplyAll(rendered(), 8).Images, kind)
		}
	}
	require.Equal(t, before, rendered(), "the images were changed in place")
}

func TestParseMix(t *testing.T) {
	m, err := ParseMix(" rotation:3=0.25, inversion:5=0.08 ")
	require.NoError(t, err)
	require.Equal(t, Mix{{Corruption{"rotation", 3}, 0.25}, {Corruption{"inversion", 5}, 0.08}}, m)
	require.Equal(t, "rotation:3=0.25,inversion:5=0.08", m.String())
	again, err := ParseMix(DefaultMix().String())
	require.NoError(t, err)
	require.Equal(t, DefaultMix(), again)
	for text, wants := range map[string][]string{
		"":                             {`"" is not KIND:SEVERITY=SHARE`},
		"rotation=0.2":                 {`"rotation=0.2" is not KIND:SEVERITY=SHARE`},
		"rotation:x=0.2":               {`"rotation:x=0.2" is not KIND:SEVERITY=SHARE`},
		"rotation:3=lots":              {`"rotation:3=lots" is not KIND:SEVERITY=SHARE`},
		"turn:3=0.2":                   {`no corruption "turn"`, "blur, brightness, inversion"},
		"rotation:0=0.2,blur:6=0.1":    {"rotation: severity 0 is not between 1 and 5", "blur: severity 6"},
		"blur:1=0,noise:1=NaN":         {"blur:1: share 0", "noise:1: share NaN"},
		"blur:1=0.6,noise:1=0.6":       {"the shares sum to 1.2"},
		"nonsense,turn:9=2,blur:1=0.1": {`"nonsense" is not`, `no corruption "turn"`, "turn:9: share 2"},
	} {
		t.Run(text, func(t *testing.T) {
			_, err := ParseMix(text)
			for _, want := range wants {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func FuzzParseMix(f *testing.F) {
	for _, text := range []string{DefaultMix().String(), "rotation:3=1", "a:b=c,", ":=,:="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMix(text)
		if err != nil {
			return
		}
		require.NoError(t, m.Check())
		again, err := ParseMix(m.String())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

func TestADriftMovesIn(t *testing.T) {
	d := Drift{Mix: Mix{{Corruption{"inversion", 5}, 0.5}, {Corruption{"stripes", 3}, 0.2}}, Seed: 3, Begin: 1000, Over: 2000}
	for index, want := range map[int]float64{0: 0, 999: 0, 1000: 1.0 / 2001, 1999: 1000.0 / 2001, 2999: 2000.0 / 2001, 3000: 1, 9000: 1} {
		require.InDelta(t, want, d.Level(index), 1e-9, "image %d", index)
	}
	share := func(from int, kind string) float64 {
		n := 0
		for i := range 1000 {
			img := rendered().Images[i%200]
			out, done := d.Apply(&img, from+i)
			require.Equal(t, done.Kind == "", out == img)
			if done.Kind == kind {
				n++
			}
		}
		return float64(n) / 1000
	}
	require.Zero(t, share(0, "inversion"))
	require.InDelta(t, 0.125, share(1000, "inversion"), 0.04)
	require.InDelta(t, 0.375, share(2000, "inversion"), 0.05)
	require.InDelta(t, 0.5, share(3000, "inversion"), 0.05)
	require.InDelta(t, 0.2, share(3000, "stripes"), 0.04)
	require.InDelta(t, 0.3, share(3000, ""), 0.05)

	img := rendered().Images[0]
	a, _ := d.Apply(&img, 3500)
	b, _ := (&Drift{Mix: d.Mix, Seed: 3, Begin: 0}).Apply(&img, 3500)
	require.Equal(t, a, b, "once it is there, when it began makes no difference")
	all := d.Mix.ApplyAll(rendered(), 3)
	require.Equal(t, rendered().Labels, all.Labels)
	first, _ := (&Drift{Mix: d.Mix, Seed: 3}).Apply(&rendered().Images[9], 9)
	require.Equal(t, first, all.Images[9], "a set is the stream's first images")
}

func TestCorruptionsAreKnownByName(t *testing.T) {
	require.Equal(t, "blur brightness inversion noise rotation shear stripes", strings.Join(Kinds(), " "))
}
