// The one translation unit that compiles Asio's own functions (BOOST_ASIO_SEPARATE_COMPILATION):
// every other file then costs about half as much to compile.
#include <boost/asio/impl/src.hpp>
