// What a page carries with it, put into the library when it is built (cmake/write_page_assets.py).
#pragma once

#include <string_view>

namespace brainquant {

std::string_view page_style();   // page.css
std::string_view page_script();  // page.js
/// Vega, Vega-Lite and Vega-Embed with all that they need; sets window.vegaEmbed.
std::string_view vega_bundle();

}  // namespace brainquant
