# SPDX-License-Identifier: GPL-2.0-only
# Owns the plots of goodput against load, and of short requests among long ones.
set grid
do for [ext in "png svg"] {
	if (ext eq "png") { set terminal png size 1100,600 } else { set terminal svg size 1100,600 }
	set output "goodput.".ext
	set logscale x 2
	set xlabel "offered / capacity"
	set ylabel "answered within 100 us / capacity"
	set yrange [0:1.1]
	plot "factors.tsv" using 1:2 with linespoints title "Sluice", \
		"" using 1:3 with linespoints title "unbounded FIFO"
	unset logscale x
	set output "classes.".ext
	set multiplot layout 1,3 title "p99 of short requests on 6 workers; dashed: ideal"
	set xlabel "load"
	set ylabel "us"
	set logscale y
	set yrange [*:*]
	set key bottom right
	do for [mix in "half-500 ten-5000 one-100"] {
		set title mix
		plot mix.".tsv" using 1:2 with linespoints lc 1 title "rr", "" using 1:3 with lines lc 1 dt 2 notitle, \
			"" using 1:4 with linespoints lc 2 title "least", "" using 1:5 with lines lc 2 dt 2 notitle, \
			"" using 1:6 with linespoints lc 3 title "fifo", "" using 1:7 with lines lc 3 dt 2 notitle, \
			"" using 1:8 with linespoints lc 4 title "typed", "" using 1:9 with lines lc 4 dt 2 notitle
	}
	unset multiplot
	unset logscale y
	set key default
}
