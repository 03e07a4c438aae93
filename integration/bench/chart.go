package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	barColor  = color.RGBA{R: 0x2f, G: 0x6f, B: 0xb5, A: 0xff}
	lessColor = color.RGBA{R: 0xb5, G: 0x6b, B: 0x2f, A: 0xff}
	ruleColor = color.RGBA{R: 0xd8, G: 0xd8, B: 0xd8, A: 0xff}
	evenColor = color.RGBA{R: 0x44, G: 0x44, B: 0x44, A: 0xff}
)

// drawChart draws, for every scenario of a run that has a peer, how many times
// as good as the peer it is.
func drawChart(file string, rs []result) error {
	rs = slices.DeleteFunc(slices.Clone(rs), func(r result) bool { return r.gain() <= 0 })
	if len(rs) == 0 {
		return errors.New("the run has no scenario with a peer to draw")
	}
	slices.Reverse(rs) // the first at the top
	p, err := chartOf(rs)
	if err != nil {
		return err
	}
	const margin = 0.4 * vg.Centimeter
	c := vgsvg.New(20*vg.Centimeter, vg.Length(len(rs)+4)*0.75*vg.Centimeter)
	p.Draw(draw.Crop(draw.New(c), margin, -margin, margin, -margin))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// chartOf draws rs from the bottom up.
func chartOf(rs []result) (*plot.Plot, error) {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text = "quorate beside etcd's own Go client: how many times as fast (size: as small)"
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = "times as good, logarithmic; 1 is even"
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = plot.TickerFunc(powers)
	p.BackgroundColor = color.White
	least, most := 1.0, 1.0
	var labels []string
	for i, r := range rs {
		labels = append(labels, r.Name)
		least, most = min(least, r.gain()), max(most, r.gain())
		p.Add(&bar{at: float64(i), gain: r.gain()})
	}
	p.NominalY(labels...)
	p.X.Min, p.X.Max = least/1.6, most*3 // room for the numbers
	p.Y.Min, p.Y.Max = -0.7, float64(len(rs))-0.3
	even, err := plotter.NewLine(plotter.XYs{{X: 1, Y: p.Y.Min}, {X: 1, Y: p.Y.Max}})
	if err != nil {
		return nil, err
	}
	even.Color = evenColor
	p.Add(even)
	return p, nil
}

// powers marks 1, 2, 5, 10, ... of the axis.
func powers(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= lo && v <= hi {
				ticks = append(ticks, plot.Tick{Value: v, Label: figure(v)})
			}
		}
	}
	return ticks
}

// A bar reaches from even to a gain.
type bar struct{ at, gain float64 }

// Plot implements plot.Plotter.
func (b *bar) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	from, to := x(min(1, b.gain)), x(max(1, b.gain))
	lo, hi := y(b.at-0.32), y(b.at+0.32)
	fill := barColor
	if b.gain < 1 {
		fill = lessColor
	}
	c.StrokeLine2(draw.LineStyle{Color: ruleColor, Width: vg.Points(0.5)}, c.Min.X, y(b.at), c.Max.X, y(b.at))
	c.FillPolygon(fill, []vg.Point{{X: from, Y: lo}, {X: to, Y: lo}, {X: to, Y: hi}, {X: from, Y: hi}})
	style := p.X.Tick.Label
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	c.FillText(style, vg.Point{X: to + vg.Points(4), Y: y(b.at)}, fmt.Sprintf("%sx", figure(b.gain)))
}
