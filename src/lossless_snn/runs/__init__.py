"""Run directories: the files of one network's tests, each declared once for those who write and who read it.

| file | module | what it is |
| --- | --- | --- |
| history.csv | history | the training, epoch by epoch |
| ann.json | ann | the ANN on the test set |
| snn.json | snn | the spiking network on the test set |
| accuracy.txt, spike_num.txt, spike_collect.txt, sop_num.txt | step_logs | the same step by step |
| certificate.json | certificate | every neuron's spike count beside the ANN's activation |
| noise.csv | noise | the ANN on disturbed images |
| neurons.csv | neurons | the network with other neurons |

`directory` reads those of one run that are to be compared, and checks that they belong together.
"""
