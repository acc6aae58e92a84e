// The one translation unit that compiles Beast's own functions (BOOST_BEAST_SEPARATE_COMPILATION).
#include <boost/beast/src.hpp>
