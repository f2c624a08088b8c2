// ftrun.
#include "core/cli/run_cli.h"

int main(int argc, char** argv) { return ftrun::run_cli(argc, argv); }
