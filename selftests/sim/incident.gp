# SPDX-License-Identifier: GPL-2.0-only
# Owns the plots of the incident and of the trigger, from the timelines in the current directory.
set grid
set xlabel "ms"
do for [ext in "png svg"] {
	if (ext eq "png") { set terminal png size 1100,800 } else { set terminal svg size 1100,800 }
	set output "incident.".ext
	set multiplot layout 2,2 title "10 M requests/s, then 45 M/s; capacity 31.5 M/s"
	set ylabel "million requests/s"
	set yrange [0:*]
	set title "unbounded FIFO"
	plot "incident-fifo.tsv" using 1:2 with lines title "offered", \
		"" using 1:3 with lines title "answered", "" using 1:4 with lines title "within 100 us", \
		"" using 1:6 with lines title "lost"
	set title "Sluice"
	plot "incident-sluice.tsv" using 1:2 with lines title "offered", \
		"" using 1:3 with lines title "answered", "" using 1:4 with lines title "within 100 us", \
		"" using 1:5 with lines title "refused"
	set ylabel "p99, us"
	set logscale y
	set yrange [1:*]
	set title "unbounded FIFO"
	plot "incident-fifo.tsv" using 1:7 with lines title "p99"
	set title "Sluice"
	plot "incident-sluice.tsv" using 1:7 with lines title "p99"
	unset logscale y
	unset multiplot
	set output "trigger.".ext
	set multiplot layout 2,1 title "0.9 times capacity, two seconds of 1.5, then 0.9; clients retry"
	set ylabel "million requests/s"
	set yrange [0:*]
	set title "unbounded FIFO"
	plot "trigger-fifo.tsv" using 1:2 with lines title "offered", \
		"" using 1:3 with lines title "answered", "" using 1:4 with lines title "within 100 us"
	set title "Sluice"
	plot "trigger-sluice.tsv" using 1:2 with lines title "offered", \
		"" using 1:3 with lines title "answered", "" using 1:4 with lines title "within 100 us"
	unset multiplot
	set output "step.".ext
	set multiplot layout 2,1 title "from 0.8 to 1.4 times capacity at 100 ms"
	set title "requests"
	plot "step.tsv" using 1:2 with lines title "offered", "" using 1:4 with lines title "within 100 us"
	set title "p99"
	set ylabel "us"
	plot "step.tsv" using 1:7 with lines title "p99"
	unset multiplot
}
